"""Let nobody try out the passwords of staff: after some wrong ones a name is refused for an hour."""

import logging
from typing import Any

from django.contrib import admin
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.forms import AuthenticationForm

from voice import quotas

logger = logging.getLogger(__name__)

_REFUSED = (
    "Too many wrong passwords for this name. It is refused for a while, with the right one too; whoever runs "
    "the server can let you in at once."
)


class StaffBackend(ModelBackend):
    """Django's own, which counts a try of a name, known or not, before it looks at the password."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return who it is, or None.

        Raises:
            PermissionDenied: the name was tried too often; no other backend is asked then.
        """
        if username is None or password is None:
            return None
        if not quotas.take_log_in(username, timezone.now()):
            logger.warning("a log-in was refused after too many wrong passwords")
            raise PermissionDenied
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is not None and user.is_staff:
            quotas.forget_log_ins(username)
        return user

    # The same in a thread: ModelBackend's own would count nothing.
    aauthenticate = BaseBackend.aauthenticate  # type: ignore[assignment] # it takes the names as any others


class LogInForm(AuthenticationForm):  # type: ignore[misc] # unfold ships no types
    """The admin's, which says so when a name is refused."""

    def get_invalid_login_error(self) -> ValidationError:
        """Return what is said after a log-in that failed."""
        if quotas.log_ins_are_spent(self.cleaned_data.get("username") or "", timezone.now()):
            return ValidationError(_REFUSED, code="refused")
        error: ValidationError = super().get_invalid_login_error()
        return error


def change_password(request: HttpRequest) -> HttpResponseBase:
    """Let staff change their own password: a wrong old one is counted as at a log-in.

    Raises:
        PermissionDenied: it was tried too often.
    """
    if request.method != "POST":
        return admin.site.password_change(request)
    name = request.user.get_username()
    if not quotas.take_log_in(name, timezone.now()):
        raise PermissionDenied
    answer = admin.site.password_change(request)
    if isinstance(answer, TemplateResponse):
        shown: dict[str, Any] = answer.context_data or {}
        if "old_password" in shown["form"].errors:
            return answer
    quotas.forget_log_ins(name)  # also when only the new one is found wanting: he tries nothing out
    return answer
