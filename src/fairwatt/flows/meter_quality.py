"""A meter's papers and tests: certificates and check-meter tests are recorded by a person, and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction

from fairwatt.core.metering.accuracy import CheckImpossible, CheckResult, UnknownClass, check_meter, limit_of
from fairwatt.flows.desk import DeskRefused, acting, meter_of
from fairwatt.store import facts, intervals
from fairwatt.store.models import Book, MeterCertificate, MeterCheck


class QualityRefused(DeskRefused):
    """The paper or the test cannot be recorded so; nothing was written."""

    code = "quality_refused"


@dataclass(frozen=True, kw_only=True)
class CertificateSpec:
    """What stands on a meter's certificate."""

    accuracy_class: str
    number: str
    authority: str
    issued_on: date
    expires_on: date


@dataclass(frozen=True, kw_only=True)
class CheckSpec:
    """What was read at a check-meter test. Registers in Wh at its beginning and end; `step_wh` of the reference."""

    tested_us: int
    reference: str
    reference_from_wh: int
    reference_to_wh: int
    reference_step_wh: int
    tested_from_wh: int
    tested_to_wh: int
    evidence: str


@transaction.atomic(durable=True)
def record_certificate(
    *, book_id: int, meter_id: int, certificate: CertificateSpec, user_id: int, now_us: int
) -> MeterCertificate:
    """Write down a certificate; the newest issue is in force. The same number twice is one certificate.

    Raises NotAllowed, NotFound, QualityRefused.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    paper = certificate
    try:
        limit_of(accuracy_class=paper.accuracy_class)
    except UnknownClass as error:
        raise QualityRefused(error.words, **error.places) from error
    if (
        not (paper.number.strip() and paper.authority.strip())
        or len(paper.number) > 80
        or len(paper.authority) > 120
    ):
        raise QualityRefused("A certificate has a number and somebody who issued it. Nothing was recorded.")
    if paper.expires_on <= paper.issued_on:
        raise QualityRefused("A certificate ends after it begins. Nothing was recorded; check the dates.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        intervals.lock_meter(cursor=cursor, meter=meter.pk)
        known = MeterCertificate.objects.filter(meter=meter.pk, number=paper.number.strip()).first()
        if known is not None:
            said = (known.accuracy_class, known.authority, known.issued_on, known.expires_on)
            if said != (paper.accuracy_class, paper.authority.strip(), paper.issued_on, paper.expires_on):
                raise QualityRefused(
                    "Certificate %(number)s is recorded with other content. Nothing was changed; a new "
                    "certificate has a new number.",
                    number=known.number,
                )
            return known
        cursor.execute(
            "INSERT INTO meter_certificate (book, meter, class, number, authority, issued_on, expires_on, author, "
            "made_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(book.pk, meter.pk, paper.accuracy_class, paper.number.strip(), paper.authority.strip()),
                *(paper.issued_on, paper.expires_on, person.pk, now_us),
            ],
        )
        intervals.note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.certificate_recorded",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            evidence={"number": paper.number.strip(), "expires_on": paper.expires_on.isoformat()},
        )
        return MeterCertificate.objects.get(meter=meter.pk, number=paper.number.strip())


@transaction.atomic(durable=True)
def record_check(*, book_id: int, meter_id: int, check: CheckSpec, user_id: int, now_us: int) -> MeterCheck:
    """Judge and write down a check-meter test; the same test twice is one. A failed meter moves no money by itself.

    Raises NotAllowed, NotFound, QualityRefused.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    if check.tested_us > now_us:
        raise QualityRefused("The test lies in the future. Nothing was recorded; check its time.")
    if not (check.reference.strip() and check.evidence.strip()) or len(check.evidence) > 2000:
        raise QualityRefused("A test names its reference meter and its evidence. Nothing was recorded.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        intervals.lock_meter(cursor=cursor, meter=meter.pk)
        paper = MeterCertificate.objects.filter(meter=meter.pk).order_by("-issued_on", "-id").first()
        if paper is None:
            raise QualityRefused(
                "The meter's accuracy class is not known, so no limit is. Record its certificate first, then the test."
            )
        reference_wh = check.reference_to_wh - check.reference_from_wh
        tested_wh = (check.tested_to_wh - check.tested_from_wh) % meter.modulus_wh
        result = _judged(check, reference_wh, tested_wh, paper.accuracy_class, meter.resolution_wh)
        known = MeterCheck.objects.filter(meter=meter.pk, tested_us=check.tested_us).first()
        if known is not None:
            if (known.reference_wh, known.tested_wh) != (reference_wh, tested_wh):
                raise QualityRefused(
                    "Another test of this meter at this time is recorded. Nothing was changed."
                )
            return known
        error = result.error_per_mille
        cursor.execute(
            "INSERT INTO meter_check (book, meter, tested_us, reference, reference_wh, tested_wh, error_num, "
            "error_den, limit_per_mille, limit_rule, verdict, evidence, author, made_us) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                *(book.pk, meter.pk, check.tested_us, check.reference.strip()[:80], reference_wh, tested_wh),
                *(error.numerator, error.denominator, result.limit_per_mille, result.limit_rule),
                *(str(result.verdict), check.evidence.strip(), person.pk, now_us),
            ],
        )
        intervals.note_deed(
            cursor=cursor,
            book=book.pk,
            kind=f"desk.meter_check_{result.verdict}",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            evidence={"reference_wh": reference_wh, "tested_wh": tested_wh, "tested_us": check.tested_us},
        )
        return MeterCheck.objects.get(meter=meter.pk, tested_us=check.tested_us)


def _judged(
    check: CheckSpec, reference_wh: int, tested_wh: int, accuracy_class: str, step_wh: int
) -> CheckResult:
    try:
        return check_meter(
            reference_wh=reference_wh,
            tested_wh=tested_wh,
            accuracy_class=accuracy_class,
            reference_step_wh=check.reference_step_wh,
            tested_step_wh=step_wh,
        )
    except (CheckImpossible, UnknownClass) as error:
        raise QualityRefused(error.words, **error.places) from error
