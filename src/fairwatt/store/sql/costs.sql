-- What fees and shared costs came to: one row for each fee of a stay, share, recovery and reversal.
-- Written by the book's poster with the line whose `ref` is the row's id. Append-only.

CREATE TABLE cost_entry (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book          int NOT NULL,
    wallet        bigint,
    unit          bigint,
    kind          text NOT NULL CHECK (kind IN ('fee', 'share', 'recovery', 'reversal')),
    key           text NOT NULL,
    account       text NOT NULL,
    fee           bigint,
    share         bigint,
    of            bigint REFERENCES cost_entry (id),
    first_day     date,
    end_day       date,
    priority      smallint NOT NULL,
    due_micro     bigint NOT NULL,
    tax_micro     bigint NOT NULL,
    taken_micro   bigint NOT NULL,
    arrears_micro bigint NOT NULL,
    inputs        jsonb NOT NULL,
    fact          bigint NOT NULL,
    at_us         bigint NOT NULL,
    batch         bigint NOT NULL,
    UNIQUE (book, key),
    CONSTRAINT what_is_owed_is_taken_or_open CHECK (due_micro + tax_micro = taken_micro + arrears_micro),
    CONSTRAINT what_follows_names_its_entry CHECK ((of IS NOT NULL) = (kind IN ('recovery', 'reversal')))
);
COMMENT ON COLUMN cost_entry.key IS 'natural key: a fee of a stay, a share, a reversal is posted once, whoever asks again';
COMMENT ON COLUMN cost_entry.wallet IS 'who paid; null: the landlord, who owes it on receivable:landlord';
CREATE INDEX cost_entry_wallet ON cost_entry (wallet, id);
CREATE INDEX cost_entry_of ON cost_entry (of) WHERE of IS NOT NULL;
CREATE INDEX cost_entry_share ON cost_entry (share) WHERE share IS NOT NULL;
CREATE INDEX allocationshare_wallet ON store_allocationshare (wallet);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['cost_entry', 'store_unitmeasure', 'store_feerule', 'store_fee', 'store_feeend', 'store_costformula',
        'store_allocation', 'store_allocationproof', 'store_allocationshare', 'store_coststep'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;
