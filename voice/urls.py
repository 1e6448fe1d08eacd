"""Say which view answers which address of the telephone platform's, and of who watches this process.

No address here ends in a slash, and none is forgiven one: the platform is given them whole.
"""

from django.urls import path

from voice import views

urlpatterns = [
    path("voice", views.VoiceView.as_view()),
    path("voice/<str:secret>", views.VoiceView.as_view()),
    path("events/<str:secret>", views.EventsView.as_view()),
    path("stream-status/<str:token>", views.StreamStatusView.as_view()),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
]
