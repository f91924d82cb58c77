"""A line is doubted: a case is opened, all are heard, a person rules, another approves, the poster gives back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from fairwatt.core.ids import ruling_key, uuid7
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import US_PER_DAY
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.lines import line_at
from fairwatt.store.models import Dispute, DisputeEntry, Role, Tenancy, User, Wallet

RULED_WITHIN_US: Final = 14 * US_PER_DAY
"""How long a case may wait for its ruling."""
REASONS: Final = ("not_mine", "price", "reading", "double", "other")
WORDS_MAX: Final = 4_000
EVIDENCE_BYTES_MAX: Final = 5 * 1024 * 1024
EVIDENCE_MAX: Final = 20
"""Files a case may have."""
_MAGIC: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
EVENT_STATES: Final = {"open": {"ruling"}, "proposed": {"approval", "refusal"}}
"""What may be decided in which state; messages and evidence are welcome until the end."""


class DisputeRefused(Refusal):
    """The step is not possible; nothing was written."""

    code = "dispute_refused"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A file somebody shows. Only its beginning says what it is; the name is for people."""

    name: str
    content: bytes


@transaction.atomic(durable=True)
def open_dispute(
    *,
    wallet_id: int,
    line_seq: int,
    reason: str,
    words: str,
    user_id: int,
    now_us: int,
    entropy: bytes,
    about_us: int | None = None,
) -> Dispute:
    """Open a case about one line that took money. The same line again is the case it has. Raises DisputeRefused.

    `about_us`, the line's instant or near it, makes finding it quick.
    """
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    _heard(wallet, user_id, now_us)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=wallet.book_id)
    known = Dispute.objects.filter(wallet=wallet, line_seq=line_seq).first()
    if known is not None:
        return known
    with connection.cursor() as cursor:
        line = line_at(cursor=cursor, book=wallet.book_id, wallet=wallet_id, seq=line_seq, about_us=about_us)
    if line is None:
        raise DisputeRefused(
            "This home has no such charge. Nothing was opened; open the case from the charge itself."
        )
    if line.amount_micro >= 0:
        raise DisputeRefused(
            "This entry took no money, so there is nothing to give back. Choose the charge you doubt."
        )
    if reason not in REASONS:
        raise DisputeRefused("Choose one of the reasons. Nothing was opened yet.")
    return Dispute.objects.create(
        public_id=uuid.UUID(int=uuid7(now_us=now_us, entropy=entropy).int),
        book=wallet.book,
        wallet=wallet,
        line_seq=line_seq,
        line_ts_us=line.ts_us,
        line_ref=line.ref,
        line_kind=line.kind,
        charged_micro=-line.amount_micro,
        reason=reason,
        words=_words(words),
        due_us=now_us + RULED_WITHIN_US,
        opened_us=now_us,
        opened_by_id=user_id,
    )


@transaction.atomic(durable=True)
def add_to_dispute(
    *, dispute_id: int, book_id: int, words: str, evidence: Evidence | None, user_id: int, now_us: int
) -> DisputeEntry:
    """Say something in a case, with or without a file; the same file again is the entry it has (DisputeRefused)."""
    case = _case(dispute_id, book_id)
    _heard(case.wallet, user_id, now_us)
    if evidence is None:
        if not words.strip():
            raise DisputeRefused("Write a message or choose a file. Nothing was added.")
        return _entry(case, DisputeEntry.Kind.MESSAGE, user_id, now_us, words=_words(words))
    digest = sha256(evidence.content).hexdigest()
    shown = DisputeEntry.objects.filter(dispute=case, kind=DisputeEntry.Kind.EVIDENCE)
    if (same := shown.filter(digest=digest).first()) is not None:
        return same
    if shown.count() >= EVIDENCE_MAX:
        raise DisputeRefused("A case takes 20 files at most. Nothing was added; put pages into one PDF.")
    return _entry(
        case,
        DisputeEntry.Kind.EVIDENCE,
        user_id,
        now_us,
        words=_words(words),
        file_name=evidence.name[-120:],
        media_type=_media_type(evidence.content),
        digest=digest,
        content=evidence.content,
    )


@transaction.atomic(durable=True)
def rule_dispute(
    *, dispute_id: int, book_id: int, refund_micro: int, words: str, user_id: int, now_us: int
) -> DisputeEntry:
    """Rule on a case: the charge stands (nothing back), or so much is given back once a second person approves.

    Raises DisputeRefused.
    """
    case = _case(dispute_id, book_id)
    _may_decide(case, "ruling")
    _not_his_own(case, user_id)
    if not words.strip():
        raise DisputeRefused("A ruling says why. Nothing was decided; write the reason.")
    if not 0 <= refund_micro <= case.charged_micro:
        raise DisputeRefused("A ruling gives back between nothing and the whole charge. Nothing was decided.")
    with _refusals():
        ruling = _entry(
            case, DisputeEntry.Kind.RULING, user_id, now_us, words=_words(words), refund_micro=refund_micro
        )
    _note(case, "desk.dispute_ruled", user_id, now_us, entry=ruling.pk, amount_micro=refund_micro)
    return ruling


@transaction.atomic(durable=True)
def answer_ruling(
    *, dispute_id: int, book_id: int, ruling_id: int, approve: bool, words: str, user_id: int, now_us: int
) -> DisputeEntry:
    """Approve or refuse a ruling that gives money back; approved, the poster is asked to post it.

    `ruling_id`: the ruling that the person looked at; another one, made meanwhile, is not answered with it.
    Only an administrator who did not make the ruling may. Raises DisputeRefused.
    """
    case = _case(dispute_id, book_id)
    _may_decide(case, "approval")
    _not_his_own(case, user_id)
    ruling = _entries(case).filter(kind=DisputeEntry.Kind.RULING).last()
    assert ruling is not None, "a proposed case has a ruling"
    if ruling.pk != ruling_id:
        raise DisputeRefused(
            "Another ruling was made since you looked. Nothing was decided; read that one and answer it."
        )
    kind = DisputeEntry.Kind.APPROVAL if approve else DisputeEntry.Kind.REFUSAL
    with _refusals():
        entry = _entry(case, kind, user_id, now_us, words=_words(words), about=ruling)
    _note(case, f"desk.dispute_{kind.value}", user_id, now_us, entry=entry.pk, ruling=ruling.pk)
    if approve:
        with connection.cursor() as cursor:
            facts.add(
                cursor=cursor,
                book=case.book_id,
                kind="adjustment",
                natural_key=ruling_key(ruling=ruling.pk),
                wallet=case.wallet_id,
                payload={"row": ruling.pk},
                raw=b"",
                now_us=now_us,
            )
    return entry


def state_of(*, case: Dispute) -> str:
    """Where a case stands: open, proposed (a ruling waits for its approval), upheld, or granted."""
    entries = list(_entries(case).only("id", "kind", "about_id", "refund_micro"))
    answers = {entry.about_id: entry.kind for entry in entries if entry.about_id is not None}
    for entry in entries:
        if entry.kind == DisputeEntry.Kind.RULING:
            if entry.refund_micro == 0:
                return "upheld"
            if entry.pk not in answers:
                return "proposed"
            if answers[entry.pk] == DisputeEntry.Kind.APPROVAL:
                return "granted"
    return "open"


def _case(dispute_id: int, book_id: int) -> Dispute:
    """The case, locked by its wallet's row so that two rulings cannot meet."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK + dispute_id])
    return Dispute.objects.select_related("wallet__book").get(pk=dispute_id, book_id=book_id)


_LOCK: Final = 0x0D15_0000_0000_0000


def _may_decide(case: Dispute, step: str) -> None:
    state = state_of(case=case)
    if step in EVENT_STATES.get(state, set()):
        return
    if state == "open":
        raise DisputeRefused("There is no ruling to approve yet. Nothing was decided.")
    if state == "proposed":
        raise DisputeRefused(
            "A ruling waits for its approval already. Nothing was decided; answer that one first."
        )
    raise DisputeRefused("This case is ruled. Nothing was decided again; a new doubt needs a new charge.")


def _not_his_own(case: Dispute, user_id: int) -> None:
    """Nobody judges in his own cause: not who opened the case, and nobody who ever lived in the home."""
    if user_id == case.opened_by_id or Tenancy.objects.filter(wallet=case.wallet, user=user_id).exists():
        raise DisputeRefused(
            "Who opened a case, or has lived in the home, does not decide it. Nothing was decided; ask a colleague."
        )


def _heard(wallet: Wallet, user_id: int, now_us: int) -> None:
    """Residents of the home and staff of its organisation are heard; nobody else. Raises DisputeRefused."""
    user = User.objects.get(pk=user_id)
    staff = user.organisation_id == wallet.book.organisation_id and user.role in (Role.OPERATOR, Role.ADMIN)
    lives = Tenancy.objects.filter(wallet=wallet, user=user, start_us__lte=now_us).exclude(end_us__lte=now_us)
    if not user.is_active or not (staff or lives.exists()):
        raise DisputeRefused("You may not speak for this home. Nothing was written.")


def _entries(case: Dispute) -> QuerySet[DisputeEntry]:
    return DisputeEntry.objects.filter(dispute=case).order_by("pk")


def _entry(case: Dispute, kind: str, user_id: int, now_us: int, **content: object) -> DisputeEntry:
    return DisputeEntry.objects.create(
        dispute=case,
        book_id=case.book_id,
        wallet_id=case.wallet_id,
        kind=kind,
        author_id=user_id,
        at_us=now_us,
        **content,
    )


def _note(case: Dispute, kind: str, user_id: int, now_us: int, **evidence: object) -> None:
    """Leave the deed where every deed is looked for, in the transaction that does it."""
    with connection.cursor() as cursor:
        note_deed(
            cursor=cursor,
            book=case.book_id,
            kind=kind,
            author=user_id,
            now_us=now_us,
            wallet=case.wallet_id,
            evidence={"case": case.pk, **evidence},
        )


def _words(words: str) -> str:
    if len(words) > WORDS_MAX:
        raise DisputeRefused(
            "The text has more than 4000 characters. Nothing was written; attach it as a PDF."
        )
    return words.strip().replace("\x00", "")


def _media_type(content: bytes) -> str:
    """What a file is, by its own first bytes. Raises DisputeRefused for what is not a PDF, photo or plain text."""
    if not 0 < len(content) <= EVIDENCE_BYTES_MAX:
        raise DisputeRefused("A file has between 1 byte and 5 MB. Nothing was added; send a smaller one.")
    for magic, media_type in _MAGIC:
        if content.startswith(magic):
            return media_type
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text or text.lstrip().startswith("<"):
        raise DisputeRefused("Evidence is a PDF, a JPEG or PNG picture, or plain text. Nothing was added.")
    return "text/plain"


@contextmanager
def _refusals() -> Iterator[None]:
    """What the database refuses about who may decide, in words."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        said = str(error.__cause__ or error)
        for known, words in (
            (
                "did not make it",
                "Somebody else with the administrator's role has to approve. Nothing was decided.",
            ),
            ("only staff", "Only staff of the organisation rules on a dispute. Nothing was decided."),
        ):
            if known in said:
                raise DisputeRefused(words) from error
        raise
