import type { FormEvent } from "react";
import { Link } from "wouter";
import { useForm, type FieldSpec } from "../forms.ts";
import { fieldErrors } from "../trpc.ts";
import { Field } from "./Field.tsx";

interface RecordFormProps<Values> {
  fields: readonly FieldSpec<keyof Values & string>[];
  initial: Partial<Values>;
  submitLabel: string;
  cancelPath: string;
  /** The mutation that saves: its `isPending` and `error`. */
  saving: { isPending: boolean; error: { message: string } | null };
  onSubmit: (values: Values) => void;
}

/** Create and edit, from a list of fields. The server's complaints stand beside their fields. */
export function RecordForm<Values extends object>(props: RecordFormProps<Values>) {
  const form = useForm<Values>(props.fields, props.initial);
  const errors = fieldErrors(props.saving.error);
  const elsewhere = props.saving.error && !props.fields.some((field) => errors[field.name]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.onSubmit(form.values());
  };
  return (
    <form className="form" onSubmit={submit}>
      {elsewhere && (
        <p className="form-error" role="alert">
          {props.saving.error?.message}
        </p>
      )}
      {props.fields.map((field) => (
        <Field
          key={field.name}
          spec={field}
          value={form.typed(field.name)}
          onChange={(value) => form.set(field.name, value)}
          error={errors[field.name]}
        />
      ))}
      <div className="form-actions">
        <button type="submit" className="button button-primary" disabled={props.saving.isPending}>
          {props.saving.isPending ? "Saving…" : props.submitLabel}
        </button>
        <Link href={props.cancelPath} className="button">
          Cancel
        </Link>
      </div>
    </form>
  );
}
