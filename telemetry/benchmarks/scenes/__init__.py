"""What is measured; a process that plays a scene imports that scene's module and no other."""
