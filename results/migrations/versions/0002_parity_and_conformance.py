"""Tables for what parity checks and conformance runs found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables parity_checks and conformance_outcomes."""
    op.create_table(
        "parity_checks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_sha256", sa.Text(), nullable=False),
        sa.Column("contender", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("flavour", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("parity_status", sa.String(length=32), nullable=True),
        sa.Column("ratio", sa.Float(precision=53), nullable=True),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("commit_id", sa.Text(), nullable=True),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_parity_checks_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parity_checks")),
    )
    op.create_index(
        op.f("ix_parity_checks_model_contender_created_at"),
        "parity_checks",
        ["model", "contender", "created_at"],
        unique=False,
    )
    op.create_index(op.f("ix_parity_checks_run_id"), "parity_checks", ["run_id"], unique=False)
    op.create_table(
        "conformance_outcomes",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("contender", sa.String(length=255), nullable=False),
        sa.Column("case_name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("opset", sa.Integer(), nullable=False),
        sa.Column("case_sha256", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("error", sa.Float(precision=53), nullable=True),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_conformance_outcomes_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "contender", "case_name", name=op.f("pk_conformance_outcomes")),
    )
    op.create_index(
        op.f("ix_conformance_outcomes_contender_engine_version_created_at"),
        "conformance_outcomes",
        ["contender", "engine_version", "created_at"],
        unique=False,
    )
