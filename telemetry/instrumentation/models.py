"""What rows written through the ORM leave in the store, for the models that somebody named.

A model is named by `ExportModelOperationsMixin` (its names are told by `declare` as they are made, which is
before the runtime starts) or by the setting `TELEMETRY_MODELS` (`name_models`). Counted are rows, of each
table, when the statement has succeeded, also where the transaction is rolled back later:

- An INSERT counts the rows given; with `ignore_conflicts` those that the database reports. With
  `update_conflicts` all count as inserts: databases do not tell the two apart.
- An UPDATE counts the rows matched, also by `bulk_update` and by a cascade that sets a field.
- A DELETE counts the rows deleted, of each model that a cascade reaches. What the database itself
  cascades (Django 6.1's `DB_CASCADE`) nobody sees.
- A child in multi-table inheritance has a row in each table, and counts once under each name.
- A proxy's rows are those of its concrete model. The mixin on a proxy alone names that table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.apps import apps
from django.db.models import Model

from telemetry.catalogue.models import ModelCatalogue
from telemetry.errors import ConfigurationError
from telemetry.instrumentation._writes import Writes
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.store import Store, Table

MIXIN_NAME = "_telemetry_model_name"
"""The attribute by which a mixin class tells its name."""

_Keys = tuple[tuple[str, ...], ...]


def declare(name: str) -> None:
    """Tell a name that a mixin gives; it is shown as 0 at once, or when the runtime starts."""
    if name in _declared:  # by the model; a migration that is imported later calls the mixin again
        return
    _declared[name] = None
    for instrumentation in _installed:
        instrumentation.show(name)


def declared() -> tuple[str, ...]:
    """Every name that a mixin has given so far."""
    return tuple(_declared)


def name_models(given: Iterable[str]) -> dict[str, str]:
    """The models that the setting names, by `app.model` in lower case, and the name each is counted under.

    Valid are `app.Model`, `app.*` and `*`. The name is the model's in lower case, as users give it to the
    mixin; models of two apps that share it are told apart as `app.model`. A model with a mixin is left
    out: it has a name.

    Raises:
        ConfigurationError: an entry matches no model, or a proxy; the message names the valid ones.
    """
    every = [model._meta for model in apps.get_models() if not model._meta.proxy]
    wanted = {}
    for entry in given:
        app, _, name = entry.partition(".")
        found = [
            meta
            for meta in every
            if entry == "*" or (meta.app_label == app and name in ("*", meta.object_name, meta.model_name))
        ]
        if not found:
            raise ConfigurationError(f"TELEMETRY_MODELS: {entry!r} {_why_not(app, name)}")
        wanted.update({meta.label_lower: meta for meta in found})
    named = [meta for meta in wanted.values() if not _mixin_names(meta.model)]
    used = [*_declared, *(str(meta.model_name) for meta in named)]
    return {
        meta.label_lower: meta.label_lower if used.count(str(meta.model_name)) > 1 else str(meta.model_name)
        for meta in named
    }


class ModelInstrumentation:
    """Counts rows from `install()` to `uninstall()`. `named` is what `name_models` gave."""

    def __init__(
        self, store: Store, catalogue: ModelCatalogue, guard: Guard, named: Mapping[str, str], *, limit: int = 1000
    ) -> None:
        self._guard = guard
        self._named = named
        self._tables = inserts, updates, deletes = tuple(
            store.table(layout) for layout in (catalogue.inserts, catalogue.updates, catalogue.deletes)
        )
        self._name = Bounded("models.model", limit, guard)
        self._known: dict[str, _Keys] = {}
        self._writes: Writes[_Keys] = Writes(
            self._keys, self._adding(inserts), self._adding(updates), self._adding(deletes)
        )

    def install(self) -> None:
        """Watch the writes if there is a named model, else as soon as there is one. Idempotent."""
        if self not in _installed:
            _installed.append(self)
        if self._named or _declared:
            self._writes.install()

    def uninstall(self) -> None:
        """Leave Django as it was found. Idempotent."""
        if self in _installed:
            _installed.remove(self)
        self._writes.uninstall()

    def show(self, name: str) -> None:
        """Count a model under this name, too, and show it as 0. Never raises."""
        try:
            self.install()
            self._known.clear()
            for table in self._tables:
                table.add((self._name(name),), 0.0)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("models.declare", exc)

    def _keys(self, compiler: Any) -> _Keys | None:
        """The keys under which this compiler's statement counts; None for none."""
        try:
            meta = _concrete(compiler.query.model)
            # By label, so that the historical models of data migrations are found, too, and kept alive by nobody.
            keys = self._known.get(meta.label_lower)
            if keys is None:
                keys = self._known[meta.label_lower] = self._find(meta)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("models.name", exc)
            return None
        return keys or None

    def _find(self, meta: Any) -> _Keys:
        names = _mixin_names(meta.model) or _mixin_names_of_proxies(meta.label_lower)
        if not names and meta.label_lower in self._named:
            names = (self._named[meta.label_lower],)
        return tuple((self._name(name),) for name in names)

    def _adding(self, table: Table) -> Callable[[_Keys, Callable[[], int]], None]:
        def add(keys: _Keys, rows: Callable[[], int]) -> None:
            try:
                count = rows()
                if count > 0:  # -1: the driver does not know
                    for key in keys:
                        table.add(key, count)
            except Exception as exc:  # noqa: BLE001
                self._guard.failed(table.layout.name, exc)

        return add


def _mixin_names(model: type[Model]) -> tuple[str, ...]:
    """The names that mixins give this model's own table: those of abstract bases too, of parents with a table not."""
    return tuple(dict.fromkeys(_walk(model)))


def _walk(model: type[Model]) -> Iterator[str]:
    for base in model.__mro__:
        meta = getattr(base, "_meta", None)
        if base is not model and meta is not None and not meta.abstract:
            return
        if MIXIN_NAME in base.__dict__:
            yield base.__dict__[MIXIN_NAME]


def _mixin_names_of_proxies(label: str) -> tuple[str, ...]:
    proxies = [model for model in apps.get_models() if model._meta.proxy and _concrete(model).label_lower == label]
    return tuple(dict.fromkeys(name for model in proxies for name in _mixin_names(model)))


def _concrete(model: type[Model]) -> Any:
    """The options of the model whose table this one's rows are in."""
    return getattr(model._meta.concrete_model, "_meta", None)


def _why_not(app: str, name: str) -> str:
    every = [model._meta for model in apps.get_models()]
    inside = [meta for meta in every if meta.app_label == app]
    if not inside:
        valid = ", ".join(sorted({meta.app_label for meta in every})) or "none"
        return f'is of no app that has models; give "app.Model", "app.*" or "*"; apps with models are: {valid}'
    for meta in inside:
        if name in (meta.object_name, meta.model_name):
            return f"is a proxy; give the model whose rows it shows: {_concrete(meta.model).label}"
    valid = ", ".join(sorted(meta.label for meta in inside if not meta.proxy))
    return f"matches no model; those of the app are: {valid}"


_declared: dict[str, None] = {}
_installed: list[ModelInstrumentation] = []
