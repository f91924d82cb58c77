-- Deposits: what is held of a resident beside the credit. Append-only; the book's poster alone writes it.
CREATE TABLE deposit_entry (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book         int NOT NULL,
    wallet       bigint NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('taken', 'declared', 'back', 'carried')),
    amount_micro bigint NOT NULL CHECK (amount_micro <> 0),
    words        text NOT NULL DEFAULT '' CHECK (length(words) <= 400),
    author       bigint,
    fact         bigint NOT NULL,
    at_us        bigint NOT NULL,
    batch        bigint NOT NULL,
    UNIQUE (fact, wallet),
    CHECK (kind NOT IN ('taken', 'declared') OR amount_micro > 0),
    CHECK (kind <> 'back' OR amount_micro < 0)
);
COMMENT ON COLUMN deposit_entry.kind IS 'taken: out of credit; declared: held from an earlier time, by two people''s word; back: credit again at the end; carried: along to another home';
CREATE INDEX deposit_entry_wallet ON deposit_entry (wallet);
CREATE INDEX deposit_entry_book ON deposit_entry (book, batch);

-- Nobody gets back more than is held.
CREATE FUNCTION deposits_within_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount_micro < 0 AND (SELECT coalesce(sum(amount_micro), 0) FROM deposit_entry WHERE wallet = NEW.wallet) + NEW.amount_micro < 0 THEN
        RAISE EXCEPTION 'more than is held of account % would go back', NEW.wallet USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER within BEFORE INSERT ON deposit_entry FOR EACH ROW EXECUTE FUNCTION deposits_within_held();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON deposit_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON deposit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE deposit_entry ENABLE ALWAYS TRIGGER within, ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate;

-- A deposit that no ledger saw is declared by two people, like everything that rests on people's word.
ALTER TABLE money_wish DROP CONSTRAINT money_wish_kind_check;
ALTER TABLE money_wish ADD CONSTRAINT money_wish_kind_check CHECK (kind IN ('transfer', 'void', 'claim', 'deposit'));
