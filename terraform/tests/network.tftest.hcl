# Two zones, private nodes, and endpoints so that media do not pay for NAT.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "nodes_are_private_in_two_zones_behind_one_nat" {
  command = apply

  assert {
    condition     = [for z in ["ap-northeast-2a", "ap-northeast-2c"] : aws_subnet.private[z].availability_zone] == ["ap-northeast-2a", "ap-northeast-2c"] && length(aws_subnet.private) == 2
    error_message = "There must be a private subnet in each of two zones."
  }
  assert {
    condition     = aws_vpc.this.cidr_block == "10.40.0.0/16" && [for s in values(aws_subnet.private) : s.cidr_block] == ["10.40.0.0/20", "10.40.16.0/20"]
    error_message = "Private subnets must have room for pods: a /20 each."
  }
  assert {
    condition     = alltrue([for s in values(aws_subnet.public) : !s.map_public_ip_on_launch])
    error_message = "Nothing must get a public address by itself."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && aws_nat_gateway.this["ap-northeast-2a"].subnet_id == aws_subnet.public["ap-northeast-2a"].id
    error_message = "One NAT gateway must stand in a public subnet."
  }
  assert {
    condition = alltrue([
      for z, r in aws_route.nat : r.destination_cidr_block == "0.0.0.0/0" && r.route_table_id == aws_route_table.private[z].id && r.nat_gateway_id == aws_nat_gateway.this["ap-northeast-2a"].id
    ]) && length(aws_route.nat) == 2
    error_message = "Private subnets must leave through NAT."
  }
  assert {
    condition     = alltrue([for z, a in aws_route_table_association.private : a.subnet_id == aws_subnet.private[z].id && a.route_table_id == aws_route_table.private[z].id])
    error_message = "Private subnets must use the private route tables."
  }
  assert {
    condition     = alltrue([for z in var.availability_zones : aws_subnet.private[z].tags["kubernetes.io/role/internal-elb"] == "1" && aws_subnet.public[z].tags["kubernetes.io/role/elb"] == "1"])
    error_message = "Subnets must carry the tags by which load balancers find them."
  }
  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group must allow nothing."
  }
  assert {
    condition     = aws_flow_log.this.traffic_type == "REJECT" && aws_flow_log.this.vpc_id == aws_vpc.this.id && aws_cloudwatch_log_group.flow_logs.kms_key_id == aws_kms_key.cluster.arn
    error_message = "Refused traffic must be logged, encrypted."
  }
}

run "media_and_image_layers_bypass_nat_for_nothing" {
  command = apply

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.ap-northeast-2.s3"
    error_message = "S3 must be reached by the free gateway endpoint."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.route_table_ids == toset([for t in aws_route_table.private : t.id])
    error_message = "The S3 endpoint must serve every private subnet."
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "An interface endpoint costs by the hour: it must be asked for."
  }
}

run "endpoints_when_asked" {
  command = apply

  variables {
    interface_endpoints = ["sts", "sqs", "ecr.dkr"]
    availability_zones  = ["ap-northeast-2a", "ap-northeast-2b", "ap-northeast-2c"]
  }

  assert {
    condition     = toset([for e in aws_vpc_endpoint.interface : e.service_name]) == toset([for s in ["sts", "sqs", "ecr.dkr"] : "com.amazonaws.ap-northeast-2.${s}"])
    error_message = "The asked services must have interface endpoints, and nothing else must cost one."
  }
  assert {
    condition     = alltrue([for e in values(aws_vpc_endpoint.interface) : e.private_dns_enabled && e.subnet_ids == toset([for s in aws_subnet.private : s.id])])
    error_message = "Interface endpoints must answer under the services' own names in every zone."
  }
  assert {
    condition     = alltrue([for g in values(module.eks.node_groups) : g.subnet_ids == toset([for s in aws_subnet.private : s.id])])
    error_message = "Nodes must spread over every zone."
  }
  assert {
    condition     = module.eks.cluster.vpc_config[0].subnet_ids == toset([for z in ["a", "b"] : aws_subnet.private["ap-northeast-2${z}"].id])
    error_message = "The control plane must stay in the first two zones, or a zone could not be added later."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.40.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints.to_port == 443
    error_message = "Endpoints must take HTTPS from the VPC only."
  }
}

run "six_zones_fit_the_vpc" {
  command = plan

  variables {
    availability_zones = [for z in ["a", "b", "c", "d", "e", "f"] : "ap-northeast-2${z}"]
  }

  assert {
    condition     = length(distinct(concat([for s in values(aws_subnet.private) : s.cidr_block], [for s in values(aws_subnet.public) : s.cidr_block]))) == 12
    error_message = "Every zone must have subnets of its own."
  }
}

run "nat_per_zone_when_asked" {
  command = apply

  variables {
    nat_gateway_per_zone = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2 && alltrue([for z, r in aws_route.nat : r.nat_gateway_id == aws_nat_gateway.this[z].id])
    error_message = "Each zone must leave through a NAT gateway of its own."
  }
}
