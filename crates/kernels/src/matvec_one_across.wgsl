fn across(sum: Sum) -> Sum {
    return subgroupAdd(sum);
}
