-- Payments that payers begin at their provider, naming the number a home is paid under. Nothing was asked for here.

-- What an unsigned callback said was paid: worth a question, and nothing else. Append-only.
CREATE TABLE announced (
    account      bigint NOT NULL REFERENCES store_merchantaccount (id),
    provider_ref text NOT NULL CHECK (length(provider_ref) BETWEEN 1 AND 80),
    heard_us     bigint NOT NULL,
    PRIMARY KEY (account, provider_ref)
);
CREATE INDEX announced_lately ON announced (account, heard_us);

-- What a provider's own list has, taken in once, whoever else has the same merchant number. Append-only.
CREATE TABLE listed_payment (
    provider     text NOT NULL,
    shop         text NOT NULL,
    provider_ref text NOT NULL,
    account      bigint NOT NULL REFERENCES store_merchantaccount (id),
    book         int NOT NULL,
    wallet       bigint,
    our_ref      text NOT NULL,
    named        text NOT NULL,
    at_us        bigint NOT NULL,
    PRIMARY KEY (provider, shop, provider_ref)
);
COMMENT ON COLUMN listed_payment.shop IS 'the merchant number that payers typed';
COMMENT ON COLUMN listed_payment.wallet IS 'whose account number was typed; null: nobody''s who lives here, so it lies in suspense';
COMMENT ON COLUMN listed_payment.named IS 'the account number as it was typed';
CREATE INDEX listed_payment_of ON listed_payment (account, provider_ref);

-- Work in hand, not history: what a provider was told of our addresses, and how far its list was read.
CREATE TABLE listening (
    account   bigint PRIMARY KEY REFERENCES store_merchantaccount (id),
    begun_us  bigint NOT NULL,
    told      text NOT NULL DEFAULT '',
    told_us   bigint,
    kept      boolean NOT NULL DEFAULT false,
    trouble   text NOT NULL DEFAULT '',
    troubles  int NOT NULL DEFAULT 0,
    read_us   bigint NOT NULL,
    asked_us  bigint NOT NULL DEFAULT 0,
    ask_us    bigint NOT NULL
);
COMMENT ON COLUMN listening.told IS 'digest of the merchant number and the addresses that were told; empty: nothing was';
COMMENT ON COLUMN listening.kept IS 'the provider keeps addresses that it was told before';
COMMENT ON COLUMN listening.read_us IS 'up to here the provider''s list was read';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['announced', 'listed_payment'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER no_truncate', t);
    END LOOP;
END $$;
