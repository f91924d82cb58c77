-- What homes owe beside their energy: emergency credit and debts. One row for each movement, append-only.
-- Written by the book's poster with the line whose `ref` is the row's id. What is owed is the sum of owed_micro.
CREATE TABLE credit_entry (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book       int NOT NULL,
    wallet     bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('lent', 'repaid', 'debt', 'brought', 'instalment', 'share')),
    rule       bigint,
    key        text NOT NULL,
    owed_micro bigint NOT NULL CHECK (owed_micro <> 0),
    line_micro bigint NOT NULL,
    inputs     jsonb NOT NULL,
    fact       bigint NOT NULL,
    at_us      bigint NOT NULL,
    batch      bigint NOT NULL,
    UNIQUE (book, key),
    CONSTRAINT what_is_lent_is_owed CHECK (line_micro = CASE WHEN kind = 'brought' THEN 0 ELSE owed_micro END),
    CONSTRAINT what_is_recovered_is_owed_less CHECK ((owed_micro > 0) = (kind IN ('lent', 'debt', 'brought'))),
    CONSTRAINT a_debt_names_its_rule CHECK (rule IS NOT NULL OR kind IN ('lent', 'repaid'))
);
COMMENT ON COLUMN credit_entry.key IS 'natural key: lent, taken or repaid once, whoever asks again';
CREATE INDEX credit_entry_wallet ON credit_entry (wallet, id);
CREATE INDEX credit_entry_rule ON credit_entry (rule, id) WHERE rule IS NOT NULL;

DO $$
BEGIN
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credit_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
    CREATE TRIGGER no_truncate BEFORE TRUNCATE ON credit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
    ALTER TABLE credit_entry ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate;
END $$;
