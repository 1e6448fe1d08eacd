"""Say which view answers which address."""

from django.contrib import admin
from django.urls import include, path

from voice.desk import worklist_page

urlpatterns = [
    path("admin/worklist/", admin.site.admin_view(worklist_page), name="worklist"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("shipments.api.urls")),
    path("api/v1/", include("voice.api")),
    path("", include("voice.urls")),
]
