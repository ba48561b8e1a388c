import { Route, Switch } from "wouter";
import { Layout } from "./components/Layout.tsx";
import { CustomerListPage } from "./pages/customers/List.tsx";
import { DealListPage } from "./pages/deals/List.tsx";
import { EditCustomerPage } from "./pages/customers/Edit.tsx";
import { EditDealPage } from "./pages/deals/Edit.tsx";
import { HomePage } from "./pages/HomePage.tsx";
import { NewCustomerPage } from "./pages/customers/New.tsx";
import { NewDealPage } from "./pages/deals/New.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";

export function App() {
  return (
    <Layout>
      <Switch>
        <Route path="/" component={HomePage} />
        <Route path="/customers" component={CustomerListPage} />
        <Route path="/customers/new" component={NewCustomerPage} />
        <Route path="/customers/:id/edit" component={EditCustomerPage} />
        <Route path="/deals" component={DealListPage} />
        <Route path="/deals/new" component={NewDealPage} />
        <Route path="/deals/:id/edit" component={EditDealPage} />
        <Route component={NotFoundPage} />
      </Switch>
    </Layout>
  );
}
