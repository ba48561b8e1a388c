/** A short state word. The tone is told by the text too, never by colour alone. */
export function Badge({ children, tone = "neutral" }: { children: string; tone?: "neutral" | "good" | "warn" | "bad" }) {
  return <span className={`badge badge-${tone}`}>{children}</span>;
}
