"""The admin plane: declared operations below `/admin/v1`, each with the role that it needs.

An area of the plane is one class whose `operations()` declares what it offers (`operation`).
Everything else follows from the list of all operations: addresses, the check of roles, the audit
of changes, the OpenAPI description, the table in the docs.
"""
