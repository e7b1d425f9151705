from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "telemetry.tests.dropin.shop"
    label = "shop"
