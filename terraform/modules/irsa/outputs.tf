output "arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}

output "name" {
  description = "Name of the role."
  value       = aws_iam_role.this.name
}

output "trust" {
  description = "Who may take the role, as a policy document."
  value       = aws_iam_role.this.assume_role_policy
}

output "policies" {
  description = "Policy documents of the role, by name."
  value       = { for name, policy in aws_iam_role_policy.this : name => policy.policy }
}
