import { Route, Switch } from "wouter";
import { Layout } from "./components/Layout.tsx";
import { EditExpensePage } from "./pages/expenses/Edit.tsx";
import { ExpenseListPage } from "./pages/expenses/List.tsx";
import { HomePage } from "./pages/HomePage.tsx";
import { NewExpensePage } from "./pages/expenses/New.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";

export function App() {
  return (
    <Layout>
      <Switch>
        <Route path="/" component={HomePage} />
        <Route path="/expenses" component={ExpenseListPage} />
        <Route path="/expenses/new" component={NewExpensePage} />
        <Route path="/expenses/:id/edit" component={EditExpensePage} />
        <Route component={NotFoundPage} />
      </Switch>
    </Layout>
  );
}
