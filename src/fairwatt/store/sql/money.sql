-- What the poster refused of a dead meter's estimate may be approved again; what it charged moved the register already.
ALTER TABLE estimate_approval DROP CONSTRAINT estimate_approval_installation_from_us_key;
CREATE INDEX estimate_approval_register ON estimate_approval (installation, from_us);

-- A page may ask for a tariff to be corrected only in the name of an active administrator of the book's organisation who
-- did not place the correction. The poster looks again when it posts it.
CREATE FUNCTION a_tariff_correction_needs_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'fairwatt_web' AND NOT EXISTS (
        SELECT 1 FROM store_tariffcorrection c JOIN store_book b ON b.id = c.book_id
          JOIN store_user u ON u.organisation_id = b.organisation_id AND u.role = 'admin' AND u.is_active
         WHERE c.book_id = NEW.book AND c.id::text = NEW.payload->>'correction' AND u.id::text = NEW.payload->>'confirmed_by'
           AND u.id::text IS DISTINCT FROM c.preview->>'author_id' AND lower(trim(u.username)) <> lower(trim(c.author))) THEN
        RAISE EXCEPTION 'a tariff correction is confirmed by an administrator who did not place it'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_tariff_correction_needs_two BEFORE INSERT ON fact FOR EACH ROW WHEN (NEW.kind = 'tariff_correction')
    EXECUTE FUNCTION a_tariff_correction_needs_two();
ALTER TABLE fact ENABLE ALWAYS TRIGGER a_tariff_correction_needs_two;
