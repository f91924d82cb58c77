"""Changing the key that signs orders: what is to be done next, and doing it. Set Django up as the web role first."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.flows.desk import DeskRefused
from fairwatt.flows.rotate_issuer import (
    Obeys,
    is_offered,
    offer_issuer,
    organisation_of,
    poster_starts,
    who_obeys,
)
from fairwatt.server import issuer_files as files
from fairwatt.server.errors import OperatorError
from fairwatt.server.keys import ISSUER, load_private_key
from fairwatt.store.models import Book, User
from fairwatt.web.access import Scope, now_us, seeing


@dataclass(frozen=True)
class Rotation:
    """One folder of keys, and the books whose gateways obey its issuer: all there are, unless named."""

    folder: Path
    books: tuple[int, ...] | None = None

    def found(self) -> dict[str, Any]:
        """What is so, without doing anything: the step that is next, and which gateways it waits for."""
        if files.has(self.folder, files.OLD):
            waiting = self._waiting_for_start()
            old = files.kid_of(self.folder, name=files.OLD)
            # A key that never reached a gateway cannot withdraw the old one there; such a gateway is visited.
            mine = files.kid_of(self.folder, name=ISSUER)
            behind = [one for one in self._gateways() if one.kids and old in one.kids and mine in one.kids]
            if waiting:
                text = (
                    "The new key is promoted. Restart the head-ends of books "
                    f"{', '.join(map(str, waiting))}, so that they sign with it; then come back."
                )
                return self._said("restart", text, [])
            text = f"The old key {old} is being withdrawn; {len(behind)} gateways still obey it."
            return self._said("withdraw", text, behind)
        if files.has(self.folder, files.NEXT):
            kid = files.kid_of(self.folder, name=files.NEXT)
            behind = [one for one in self._gateways() if not one.kids or kid not in one.kids]
            text = f"The new key {kid} is offered; {len(behind)} gateways do not obey it yet."
            return self._said("offer", text, behind)
        text = f"Orders are signed by {files.kid_of(self.folder, name=ISSUER)}; no change is under way."
        return self._said("complete", text, [])

    def step(self, *, user: str, words: str, force: bool) -> dict[str, Any]:
        """Do what is next and say what that came to. Raises OperatorError."""
        person = User.objects.filter(username=user).first()
        if person is None:
            raise OperatorError(f"There is no person {user[:60]}. No key was changed.")
        if not files.has(self.folder, files.OLD) and not files.has(self.folder, files.NEXT):
            files.make_next(self.folder)
        files.write_public(self.folder)
        if files.has(self.folder, files.OLD) and files.has(self.folder, files.NEXT):
            self._promote()  # it was interrupted between two names
        found = self.found()
        if found["step"] == "offer":
            if not found["behind"] or force:
                self._promote()
                left = found["behind"]
                return {**self.found(), "left_behind": left} if left else self.found()
            found["pushes"] = self._wish(files.NEXT, None, person, words)
        elif found["step"] == "withdraw":
            if not found["behind"] or force:
                files.forget_old(self.folder)
                return {**self.found(), "left_behind": found["behind"]}
            found["pushes"] = self._wish(ISSUER, files.kid_of(self.folder, name=files.OLD), person, words)
        return found

    def _promote(self) -> None:
        files.promote(self.folder, starts=self._starts)

    def _waiting_for_start(self) -> list[int]:
        now = self._starts()
        return [book for book, count in files.promoted_at(self.folder).items() if now.get(book, 0) <= count]

    def _starts(self) -> dict[int, int]:
        with seeing(scope=Scope(books=self._all_books())):
            return poster_starts()

    def _all_books(self) -> tuple[int, ...]:
        return self.books or tuple(Book.objects.order_by("pk").values_list("pk", flat=True))

    def _gateways(self) -> list[Obeys]:
        found: list[Obeys] = []
        for book in self._all_books():
            with seeing(scope=Scope(books=(book,))):
                found += who_obeys(book=book)
        return found

    def _wish(self, name: str, retire: str | None, person: User, words: str) -> list[int]:
        """Start the pushes that are not on their way yet, in the books of this person's organisation."""
        public = load_private_key(self.folder, name=name).public_key()
        wish: dict[str, Any] = {
            "kid": files.kid_of(self.folder, name=name),
            "public": public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
        }
        if retire is not None:
            wish["retire"] = retire
        started = []
        for book in sorted({one.book for one in self._gateways()}):
            with seeing(scope=Scope(books=(book,))):
                known = is_offered(book=book, wish=wish)
            if known or organisation_of(book=book) != person.organisation_id:
                continue
            try:
                started.append(
                    offer_issuer(book=book, wish=wish, words=words, user_id=person.pk, now_us=now_us())
                )
            except DeskRefused as error:
                raise OperatorError(f"Book {book}: {error}") from error
        return started

    def _said(self, step: str, text: str, behind: list[Obeys]) -> dict[str, Any]:
        return {
            "step": step,
            "signs": files.kid_of(self.folder, name=ISSUER),
            "text": text,
            "behind": [
                {"book": one.book, "gateway": one.gateway, "obeys": sorted(one.kids or ())} for one in behind
            ],
        }
