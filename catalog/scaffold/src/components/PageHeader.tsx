import { useEffect, type ReactNode } from "react";
import { appTitle } from "../navigation.ts";

interface PageHeaderProps {
  title: string;
  description?: string;
  /** Buttons and links that belong to the whole page. */
  children?: ReactNode;
}

/** The page's heading; also the title of the browser's tab. */
export function PageHeader({ title, description, children }: PageHeaderProps) {
  useEffect(() => {
    document.title = title === appTitle ? appTitle : `${title} · ${appTitle}`;
  }, [title]);
  return (
    <div className="page-header">
      <div>
        <h1>{title}</h1>
        {description && <p className="muted">{description}</p>}
      </div>
      {children && <div className="page-actions">{children}</div>}
    </div>
  );
}
