-- A payer's code that was scanned at the window: who scanned it, for which payment. A code is used once. Append-only.
CREATE TABLE code_scan (
    intent  bigint PRIMARY KEY REFERENCES store_paymentintent (id),
    book    int NOT NULL,
    wallet  bigint NOT NULL,
    digest  bytea NOT NULL CHECK (length(digest) = 32),
    cashier bigint NOT NULL,
    shift   bigint NOT NULL,
    ticket  text NOT NULL UNIQUE,
    at_us   bigint NOT NULL,
    UNIQUE (book, digest)
);
COMMENT ON COLUMN code_scan.digest IS 'of the code: it pays for a minute only, and is kept nowhere';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON code_scan FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON code_scan FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE code_scan ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate;
