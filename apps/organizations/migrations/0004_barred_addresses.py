import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.utils.crypto import salted_hmac


def fill(apps, schema_editor):
    for row in apps.get_model("organizations", "Barring").objects.select_related("user"):
        salt = f"organizations.barring:{row.organization_id}"
        row.address = salted_hmac(salt, row.user.email.lower(), algorithm="sha256").hexdigest()
        row.save(update_fields=["address"])


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0003_barring"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="barring",
            name="address",
            field=models.CharField(default="", max_length=64, verbose_name="digest of the address"),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.RemoveConstraint(model_name="barring", name="barring_unique"),
        migrations.AlterField(
            model_name="barring",
            name="user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.AddConstraint(
            model_name="barring",
            constraint=models.UniqueConstraint(fields=("organization", "address"), name="barring_unique"),
        ),
    ]
