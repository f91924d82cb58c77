-- A NOTIFY inside a transaction makes everybody else who calls wait until this one's commit is on disk. Who stores
-- hundreds of rows a second therefore says `fairwatt.calls = 'after'`, and calls once the transaction has ended.
CREATE OR REPLACE FUNCTION fact_calls_the_poster() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('fairwatt.calls', true) IS DISTINCT FROM 'after' THEN
        PERFORM pg_notify('fact', NEW.book::text);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION hint_calls_the_collector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('fairwatt.calls', true) IS DISTINCT FROM 'after' THEN
        PERFORM pg_notify('collect', NEW.intent_id::text);
    END IF;
    RETURN NULL;
END $$;

-- Let this transaction see the rows of one book (row-level security), and every wallet in it.
CREATE FUNCTION see_book(p_book int) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('fairwatt.books', p_book::text, true), set_config('fairwatt.wallets', '*', true);
$$;

-- Stores a fact once. The same key with other bytes, or without bytes with another content, is another fact, kept under
-- the key and a digest: what it is, the poster says in public. So nobody takes a key away from the one who means it.
CREATE FUNCTION add_fact(p_book int, p_kind text, p_key text, p_digest text, p_wallet bigint, p_payload jsonb, p_raw bytea,
    p_now_us bigint, OUT number bigint, OUT is_new boolean) LANGUAGE plpgsql AS $$
DECLARE
    named text;
    same  boolean;
BEGIN
    PERFORM see_book(p_book);
    FOREACH named IN ARRAY ARRAY[p_key, p_key || '#' || p_digest] LOOP
        INSERT INTO fact (book, kind, natural_key, wallet, payload, raw, created_us)
             VALUES (p_book, p_kind, named, p_wallet, p_payload, p_raw, p_now_us)
        ON CONFLICT (book, kind, natural_key) DO NOTHING RETURNING id INTO number;
        is_new := number IS NOT NULL;
        EXIT WHEN is_new;
        SELECT f.id, f.raw = p_raw AND (p_raw <> '' OR f.payload = p_payload) INTO number, same FROM fact f
         WHERE f.book = p_book AND f.kind = p_kind AND f.natural_key = named;
        EXIT WHEN same;
    END LOOP;
END $$;

-- Writes down what was heard of a payment, once, and with a key the fact that it is to the poster: one statement, because
-- hundreds come a second at a month's end. `is_fresh`: exactly that was not written before.
CREATE FUNCTION hear_of_payment(p_book int, p_wallet bigint, p_account bigint, p_intent bigint, p_kind text, p_state text,
    p_assurance text, p_event text, p_provider_ref text, p_refund_ref text, p_amount_minor bigint, p_currency text,
    p_occurred_us bigint, p_detail text, p_sha256 text, p_now_us bigint, p_call_after boolean,
    p_key text, p_digest text, p_payload jsonb, p_raw bytea,
    OUT is_fresh boolean, OUT number bigint, OUT is_new boolean) LANGUAGE plpgsql AS $$
BEGIN
    IF p_call_after THEN
        PERFORM set_config('fairwatt.calls', 'after', true);
    END IF;
    PERFORM see_book(p_book);
    INSERT INTO store_paymentevent (book_id, wallet, account_id, intent_id, kind, state, assurance, event_id, provider_ref,
        refund_ref, amount_minor, currency, occurred_us, detail, raw_sha256, heard_us)
    VALUES (p_book, p_wallet, p_account, p_intent, p_kind, p_state, p_assurance, p_event, p_provider_ref, p_refund_ref,
        p_amount_minor, p_currency, p_occurred_us, p_detail, p_sha256, p_now_us)
    ON CONFLICT ON CONSTRAINT payment_event_once DO NOTHING;
    is_fresh := FOUND;
    IF p_key <> '' THEN
        SELECT a.number, a.is_new INTO number, is_new
          FROM add_fact(p_book, 'payment', p_key, p_digest, p_wallet, p_payload, p_raw, p_now_us) a;
    END IF;
END $$;
