import { Route, Switch } from "wouter";
import { Layout } from "./components/Layout.tsx";
import { EditCustomerPage, NewCustomerPage } from "./pages/CustomerFormPage.tsx";
import { CustomersPage } from "./pages/CustomersPage.tsx";
import { HomePage } from "./pages/HomePage.tsx";
import { EditInvoicePage, NewInvoicePage } from "./pages/InvoiceFormPage.tsx";
import { InvoicesPage } from "./pages/InvoicesPage.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";

export function App() {
  return (
    <Layout>
      <Switch>
        <Route path="/" component={HomePage} />
        <Route path="/customers" component={CustomersPage} />
        <Route path="/customers/new" component={NewCustomerPage} />
        <Route path="/customers/:id" component={EditCustomerPage} />
        <Route path="/invoices" component={InvoicesPage} />
        <Route path="/invoices/new" component={NewInvoicePage} />
        <Route path="/invoices/:id" component={EditInvoicePage} />
        <Route component={NotFoundPage} />
      </Switch>
    </Layout>
  );
}
