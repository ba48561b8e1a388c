import { useId, type ReactNode } from "react";
import type { FieldSpec } from "../forms.ts";

interface FieldProps {
  spec: FieldSpec;
  value: string | boolean;
  onChange: (value: string | boolean) => void;
  error?: string;
}

/** One labelled input of any kind, with its hint and its error. */
export function Field({ spec, value, onChange, error }: FieldProps) {
  const id = useId();
  const described = [spec.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const common = {
    id,
    name: spec.name,
    required: spec.required && spec.kind !== "boolean",
    "aria-describedby": described || undefined,
    "aria-invalid": error ? true : undefined,
  };
  const notes = (
    <>
      {spec.hint && (
        <p id={`${id}-hint`} className="field-hint">
          {spec.hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className="field-error">
          {error}
        </p>
      )}
    </>
  );
  if (spec.kind === "boolean") {
    return (
      <div className="field field-check">
        <input {...common} type="checkbox" checked={value === true} onChange={(e) => onChange(e.target.checked)} />
        <label htmlFor={id}>{spec.label}</label>
        {notes}
      </div>
    );
  }
  return (
    <div className="field">
      <label htmlFor={id}>
        {spec.label}
        {!spec.required && <span className="muted"> (optional)</span>}
      </label>
      <Control spec={spec} common={common} value={String(value)} onChange={onChange} />
      {notes}
    </div>
  );
}

interface ControlProps {
  spec: FieldSpec;
  common: { id: string; name: string; required?: boolean };
  value: string;
  onChange: (value: string) => void;
}

function Control({ spec, common, value, onChange }: ControlProps): ReactNode {
  const props = {
    ...common,
    value,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  switch (spec.kind) {
    case "longText":
      return <textarea {...props} rows={5} maxLength={spec.max ?? 10_000} />;
    case "choice":
    case "reference":
      return (
        <select {...props}>
          <option value="">{spec.required ? "Choose…" : "None"}</option>
          {(spec.options ?? []).map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      );
    case "integer":
      return <input {...props} type="number" step={1} inputMode="numeric" min={spec.min} max={spec.max} />;
    case "decimal":
      return <input {...props} type="number" step="any" inputMode="decimal" min={spec.min} max={spec.max} />;
    case "money":
      return <input {...props} type="number" step="0.01" inputMode="decimal" min={spec.min} max={spec.max} />;
    case "date":
      return <input {...props} type="date" />;
    case "dateTime":
      return <input {...props} type="datetime-local" />;
    case "email":
      return <input {...props} type="email" autoComplete="off" maxLength={254} />;
    case "url":
      return <input {...props} type="url" placeholder="https://" maxLength={2_000} />;
    default:
      return <input {...props} type="text" maxLength={spec.max ?? 200} />;
  }
}
