// What the app is called and where its menu leads. A new page is a line here and one in App.tsx.
export const appTitle = "Billing";

export const navigation: readonly { path: string; label: string }[] = [
  { path: "/", label: "Home" },
  { path: "/customers", label: "Customers" },
  { path: "/invoices", label: "Invoices" },
];
