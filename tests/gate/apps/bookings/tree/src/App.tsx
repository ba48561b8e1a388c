import { Route, Switch } from "wouter";
import { Layout } from "./components/Layout.tsx";
import { BookingListPage } from "./pages/bookings/List.tsx";
import { EditBookingPage } from "./pages/bookings/Edit.tsx";
import { EditRoomPage } from "./pages/rooms/Edit.tsx";
import { HomePage } from "./pages/HomePage.tsx";
import { NewBookingPage } from "./pages/bookings/New.tsx";
import { NewRoomPage } from "./pages/rooms/New.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";
import { RoomListPage } from "./pages/rooms/List.tsx";

export function App() {
  return (
    <Layout>
      <Switch>
        <Route path="/" component={HomePage} />
        <Route path="/rooms" component={RoomListPage} />
        <Route path="/rooms/new" component={NewRoomPage} />
        <Route path="/rooms/:id/edit" component={EditRoomPage} />
        <Route path="/bookings" component={BookingListPage} />
        <Route path="/bookings/new" component={NewBookingPage} />
        <Route path="/bookings/:id/edit" component={EditBookingPage} />
        <Route component={NotFoundPage} />
      </Switch>
    </Layout>
  );
}
