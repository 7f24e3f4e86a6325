# What earlier versions of this configuration called otherwise, so that an upgrade moves it and destroys nothing.

moved {
  from = module.service_role
  to   = module.http_role
}

moved {
  from = module.eks.module.vpc_cni_role
  to   = module.eks.module.addon_role["vpc-cni"]
}

moved {
  from = module.eks.aws_iam_role_policy_attachment.vpc_cni
  to   = module.eks.aws_iam_role_policy_attachment.addon["vpc-cni"]
}
