"""Voids of 3D boxes through new meshes and collapse."""
