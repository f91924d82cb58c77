-- Who is protected stays so in another home: what was written for an account that goes over to another one is written for
-- that one too, with who wrote it, who agreed and when. Terms stay: elsewhere they may protect less than the place does. The
-- poster may do this and write no rule of its own.
CREATE FUNCTION carry_rules(p_book int, p_from bigint, p_to bigint) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    gone    account_end;
    its     credit_rule;
    copy    bigint;
    carried int := 0;
BEGIN
    PERFORM see_book(p_book); -- it reads as the tables' owner, who sees no more than is said
    SELECT * INTO gone FROM account_end e WHERE e.book = p_book AND e.wallet = p_from AND e.to_wallet = p_to;
    IF gone.id IS NULL THEN
        RAISE EXCEPTION 'no account went over to that one' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR its IN
        SELECT r.* FROM credit_rule r
         WHERE r.book = p_book AND r.wallet = p_from AND r.kind IN ('protection', 'force_on')
           AND (r.until_us IS NULL OR r.until_us > gone.at_us)
           AND NOT EXISTS (SELECT 1 FROM credit_step s WHERE s.rule = r.id AND s.step IN ('refuse', 'end'))
           AND NOT EXISTS (SELECT 1 FROM credit_rule c WHERE c.wallet = p_to AND c.details @> jsonb_build_object('carried', r.id))
         ORDER BY r.id
    LOOP
        INSERT INTO credit_rule (book, wallet, kind, basis, from_us, until_us, body, details, words, source, loosens, author,
                                 by_role, created_us)
        VALUES (p_book, p_to, its.kind, its.basis, its.from_us, its.until_us, its.body,
                its.details || jsonb_build_object('carried', its.id), its.words, its.source, its.loosens, its.author,
                its.by_role, its.created_us)
        RETURNING id INTO copy;
        INSERT INTO credit_step (rule, book, wallet, step, author, words, by_role, at_us)
            SELECT copy, p_book, p_to, s.step, s.author, s.words, s.by_role, s.at_us
              FROM credit_step s WHERE s.rule = its.id ORDER BY s.id;
        carried := carried + 1;
    END LOOP;
    RETURN carried;
END $$;
