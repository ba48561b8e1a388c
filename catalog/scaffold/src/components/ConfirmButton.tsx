import { useId, useRef } from "react";

interface ConfirmButtonProps {
  label: string;
  /** What is about to happen: "Delete Ada Lovelace?" */
  question: string;
  onConfirm: () => void;
  disabled?: boolean;
}

/** Asks before something that cannot be undone. */
export function ConfirmButton({ label, question, onConfirm, disabled }: ConfirmButtonProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const close = () => dialog.current?.close();
  return (
    <>
      <button
        type="button"
        className="button button-quiet-danger"
        disabled={disabled}
        aria-haspopup="dialog"
        onClick={() => dialog.current?.showModal()}
      >
        {label}
      </button>
      <dialog ref={dialog} className="dialog" aria-labelledby={heading}>
        <h2 id={heading}>{question}</h2>
        <p className="muted">This cannot be undone.</p>
        <div className="form-actions">
          <button
            type="button"
            className="button button-danger"
            onClick={() => {
              close();
              onConfirm();
            }}
          >
            {label}
          </button>
          <button type="button" className="button" onClick={close}>
            Cancel
          </button>
        </div>
      </dialog>
    </>
  );
}
