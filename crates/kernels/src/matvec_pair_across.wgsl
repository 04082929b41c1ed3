fn across(sum: Sum) -> Sum {
    return Sum(subgroupAdd(sum[0]), subgroupAdd(sum[1]));
}
