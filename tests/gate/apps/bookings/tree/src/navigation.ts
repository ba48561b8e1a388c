// What the app is called and where its menu leads. A new page is a line here and one in App.tsx.
export const appTitle = "Bookings";

export const navigation: readonly { path: string; label: string }[] = [
  { path: "/", label: "Home" },
  { path: "/rooms", label: "Rooms" },
  { path: "/bookings", label: "Bookings" },
];
