import type { ReactNode } from "react";

/** Search and filters above a list. */
export function Toolbar({ children }: { children: ReactNode }) {
  return (
    <search className="toolbar" aria-label="Filter the list">
      {children}
    </search>
  );
}

interface SearchBoxProps {
  value: string;
  onChange: (value: string) => void;
  label?: string;
}

export function SearchBox({ value, onChange, label = "Search" }: SearchBoxProps) {
  return (
    <label className="toolbar-field">
      <span>{label}</span>
      <input type="search" value={value} onChange={(event) => onChange(event.target.value)} />
    </label>
  );
}

interface FilterSelectProps<Value extends string> {
  label: string;
  value: Value | undefined;
  options: readonly { value: Value; label: string }[];
  onChange: (value: Value | undefined) => void;
}

/** A filter by one choice; undefined means all. */
export function FilterSelect<Value extends string>({ label, value, options, onChange }: FilterSelectProps<Value>) {
  return (
    <label className="toolbar-field">
      <span>{label}</span>
      <select value={value ?? ""} onChange={(event) => onChange((event.target.value || undefined) as Value | undefined)}>
        <option value="">All</option>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}
