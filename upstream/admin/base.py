"""What the pages of all models share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

if TYPE_CHECKING:
    Pages = admin.ModelAdmin[Any]
    Rows = admin.TabularInline[Any, Any]
    Form = forms.ModelForm[Any]
else:
    Pages = admin.ModelAdmin
    Rows = admin.TabularInline
    Form = forms.ModelForm


class Newest(Pages):
    """Lists the newest rows first, and does not count all of a big table to show some."""

    ordering = ("-pk",)
    show_full_result_count = False
    list_per_page = 50
    kept_back: tuple[str, ...] = ()
    """Fields whose content is not shown to everybody: lists cannot be narrowed by them, which would tell it."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        if lookup.split("__")[0] in self.kept_back:
            return False
        return super().lookup_allowed(lookup, value, request)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may run the actions: those who may change the model, though nobody does by a form."""
        may: bool = request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")
        return may


class ReadOnly(Newest):
    """Rows that the service writes, and nobody by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyRows(Rows):
    """The same, within the page of what they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def shown_once(pages: Pages, request: HttpRequest, what: Any, secret: str) -> HttpResponse:
    """The page that shows a new secret: it is kept nowhere from where it could be shown again."""
    name = capfirst(pages.opts.verbose_name)
    context = {**pages.admin_site.each_context(request), "title": f"{name} made", "what": what, "secret": secret,
               "opts": pages.opts}  # fmt: skip
    # Nothing stores it on its way: all pages of the admin say no-store.
    return TemplateResponse(request, "admin/upstream/shown_once.html", context)
