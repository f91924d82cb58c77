"""Who may have an account: people a manager invited."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class InvitedOnly(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Accounts are made by staff for residents they know; nobody signs up from outside."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": _(
            "Too many wrong passwords: wait five minutes, then try again. Is the password gone? The people who "
            "look after your building make a new one. Your power and your credit go on as they are."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
