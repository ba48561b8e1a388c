interface ListFooterProps {
  shown: number;
  total: number;
  onMore: () => void;
}

/** How much of a list is shown, and the way to the rest. */
export function ListFooter({ shown, total, onMore }: ListFooterProps) {
  return (
    <div className="list-footer">
      <p className="muted" role="status">
        {shown < total ? `${shown} of ${total} shown` : `${total} in all`}
      </p>
      {shown < total && (
        <button type="button" className="button" onClick={onMore}>
          Show more
        </button>
      )}
    </div>
  );
}
