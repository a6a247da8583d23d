"""People with an address of an organization's domains may join it at once."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0005_membership_pages")]

    operations = [
        migrations.AlterField(
            model_name="organization",
            name="join_policy",
            field=models.CharField(
                choices=[
                    ("approval", "An administrator or manager approves"),
                    ("domain", "At once with an address of its domains, else with approval"),
                    ("invitation", "By invitation only"),
                ],
                default="approval",
                max_length=20,
                verbose_name="joining",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="join_domains",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=253),
                blank=True,
                default=list,
                size=20,
                verbose_name="domains",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="join_role",
            field=models.CharField(
                choices=[("guest", "Guest"), ("engineer_i", "Engineer I")],
                default="guest",
                max_length=20,
                verbose_name="role at joining",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(("join_domains", []), ("join_policy", "domain"), _negated=True),
                name="organization_domain_named",
                violation_error_message="Name at least one domain.",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.CheckConstraint(
                condition=models.Q(("join_role__in", ["guest", "engineer_i"])),
                name="organization_join_role",
                violation_error_message="People who join at once become guests or engineers I.",
            ),
        ),
    ]
