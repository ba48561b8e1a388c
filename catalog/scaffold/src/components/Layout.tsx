import { useEffect, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { appTitle, navigation } from "../navigation.ts";
import { ErrorBoundary } from "./ErrorBoundary.tsx";

/** Header with the menu, and the page below it. */
export function Layout({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  const main = useRef<HTMLElement>(null);
  const shown = useRef(location);

  useEffect(() => {
    if (shown.current === location) return;
    shown.current = location;
    // A new page is announced to screen readers, and the next Tab goes into it.
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [location]);

  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="site-header">
        <div className="site-header-inner">
          <Link href="/" className="brand">
            <span className="brand-mark" aria-hidden="true" />
            {appTitle}
          </Link>
          {navigation.length > 1 && (
            <nav className="site-nav" aria-label="Main">
              {navigation.map(({ path, label }) => (
                <Link key={path} href={path} aria-current={isCurrent(path, location) ? "page" : undefined}>
                  {label}
                </Link>
              ))}
            </nav>
          )}
        </div>
      </header>
      <main id="main" className="page" ref={main} tabIndex={-1}>
        {/* The key gives every page a fresh start after another one broke. */}
        <ErrorBoundary key={location}>{children}</ErrorBoundary>
      </main>
    </>
  );
}

function isCurrent(path: string, location: string): boolean {
  return location === path || (path !== "/" && location.startsWith(`${path}/`));
}
