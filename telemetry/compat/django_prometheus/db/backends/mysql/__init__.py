"""Django's engine for MySQL and MariaDB."""
