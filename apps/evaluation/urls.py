from django.urls import path

from apps.evaluation import views

app_name = "evaluation"
urlpatterns = [
    path("quick-test/", views.quick_test, name="quick-test"),
    path("training/<uuid:pk>/quick-test/", views.training_quick_test, name="training"),
]
