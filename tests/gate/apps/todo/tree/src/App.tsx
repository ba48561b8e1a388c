import { Route, Switch } from "wouter";
import { Layout } from "./components/Layout.tsx";
import { EditTodoPage } from "./pages/todos/Edit.tsx";
import { HomePage } from "./pages/HomePage.tsx";
import { NewTodoPage } from "./pages/todos/New.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";
import { TodoListPage } from "./pages/todos/List.tsx";

export function App() {
  return (
    <Layout>
      <Switch>
        <Route path="/" component={HomePage} />
        <Route path="/todos" component={TodoListPage} />
        <Route path="/todos/new" component={NewTodoPage} />
        <Route path="/todos/:id/edit" component={EditTodoPage} />
        <Route component={NotFoundPage} />
      </Switch>
    </Layout>
  );
}
