"""The pytest plugin for people who test their own objects; loaded by pytest by itself."""
