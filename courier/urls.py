"""Say which view answers which address."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from shipments.api.parcels import NowhereView
from voice.desk import worklist_page
from voice.live_page import live_page, order
from voice.log_ins import change_password
from voice.softphone_page import softphone_page

API = [path("api/v1/", include("shipments.api.urls")), path("api/v1/", include("voice.api"))]
"""What is described at /api/schema: the telephone platform's addresses are nobody else's business."""

urlpatterns = [
    path("admin/worklist/", admin.site.admin_view(worklist_page), name="worklist"),
    path("admin/live/", admin.site.admin_view(live_page), name="live"),
    path("admin/live/order", admin.site.admin_view(order), name="live-order"),
    path("admin/softphone/", admin.site.admin_view(softphone_page), name="softphone"),
    path("admin/password_change/", admin.site.admin_view(change_password, cacheable=True)),
    path("admin/", admin.site.urls),
    *API,
    re_path("^api/v1(/.*)?$", NowhereView.as_view()),
    path("api/schema", SpectacularAPIView.as_view(urlconf=API), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(), name="docs"),
    path("", include("voice.urls")),
]
