# mypy: disable-error-code="type-arg"
from django.contrib import admin

from telemetry.tests.dropin.shop.models import Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", "price"]
