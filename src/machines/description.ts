/** What stands for an item in the words of a job that stands for others. */
export const placeholder = "{{item}}"

/** What a job is for. A group's is written for its jobs, each of which has its item there. */
export const descriptionOf = ({
  description,
  isGroup,
}: {
  description: string
  isGroup?: true | undefined
}) => (isGroup ? description.replaceAll(placeholder, "each item") : description)
