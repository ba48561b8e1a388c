// What the app is called and where its menu leads. A new page is a line here and one in App.tsx.
export const appTitle = "Quiz";

export const navigation: readonly { path: string; label: string }[] = [
  { path: "/", label: "Home" },
];
