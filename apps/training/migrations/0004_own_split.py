from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0003_shares"),
    ]

    operations = [
        migrations.AddField(
            model_name="trainingjob",
            name="split",
            field=models.JSONField(blank=True, default=dict, verbose_name="split"),
        ),
    ]
