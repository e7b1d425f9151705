from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("upstream", "0001_initial")]
    operations = [migrations.RenameModel("JobRun", "Job")]
