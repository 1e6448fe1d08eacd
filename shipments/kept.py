"""Keep rows as they were first written: history and audit are added to, never rewritten."""

from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

from django.db import models

_Row = TypeVar("_Row", bound=models.Model)
_REFUSAL = "these rows are append-only"


class KeptQuerySet(models.QuerySet[_Row]):
    """Read rows; refuse to rewrite them."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse: what happened is not rewritten."""
        raise TypeError(_REFUSAL)

    def delete(self) -> NoReturn:
        """Refuse: what happened is not taken back."""
        raise TypeError(_REFUSAL)


class Kept(models.Model):
    """A row that is written once."""

    class Meta:
        abstract = True

    def save(
        self,
        *,
        force_insert: bool | tuple[models.base.ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Write the row for the first time; refuse any other."""
        if not self._state.adding or force_update or update_fields:
            raise TypeError(_REFUSAL)
        super().save(force_insert=True, using=using)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> NoReturn:
        """Refuse: what happened is not taken back."""
        raise TypeError(_REFUSAL)
